(function () {
  "use strict";

  function numbers(text) {
    return text ? text.split(" ").map(Number) : [];
  }

  function all(root, selector) {
    return Array.from(root.querySelectorAll(selector));
  }

  // Elements that are chosen like buttons; Tab reaches one of each group, arrow keys the others.
  function makeGroup(elements, isShown) {
    function focus(element) {
      elements.forEach(function (other) {
        other.setAttribute("tabindex", other === element ? "0" : "-1");
      });
    }
    elements.forEach(function (element, i) {
      element.setAttribute("role", "button");
      element.setAttribute("aria-pressed", "false");
      element.setAttribute("tabindex", i ? "-1" : "0");
      element.addEventListener("focus", function () { focus(element); });
      element.addEventListener("keydown", function (event) {
        var shown = elements.filter(isShown);
        var place = shown.indexOf(element);
        var target = {
          ArrowDown: shown[place + 1],
          ArrowRight: shown[place + 1],
          ArrowUp: shown[place - 1],
          ArrowLeft: shown[place - 1],
          Home: shown[0],
          End: shown[shown.length - 1],
        };
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          element.dispatchEvent(new MouseEvent("click", { bubbles: true }));
        } else if (event.key in target) {
          event.preventDefault();
          if (target[event.key]) target[event.key].focus();
        }
      });
    });
    return function repair() {
      var shown = elements.filter(isShown);
      if (shown.length && !shown.some(function (e) { return e.getAttribute("tabindex") === "0"; })) {
        focus(shown[0]);
      }
    };
  }

  function enhance(root) {
    root.setAttribute("data-live", "");
    // Colours in the elements themselves are for places that strip styles and scripts.
    [root].concat(all(root, "[style]")).forEach(function (element) { element.removeAttribute("style"); });

    var marks = all(root, ".docre-m");
    var pieces = all(root, ".docre-piece[data-evidence]");
    var nodes = all(root, ".docre-node");
    var edges = all(root, ".docre-edge");
    var arrows = all(root, ".docre-arrow");
    var names = {};
    var relations = all(root, ".docre-relation").map(function (row) {
      var data = row.dataset;
      var found = {
        row: row,
        button: row.querySelector(".docre-choose"),
        head: Number(data.head),
        tail: Number(data.tail),
        label: data.label,
        score: Number(data.score),
        evidence: numbers(data.evidence),
      };
      names[found.head] = row.querySelector(".docre-head bdi").textContent;
      names[found.tail] = row.querySelector(".docre-tail bdi").textContent;
      return found;
    });
    marks.forEach(function (mark) {
      var cluster = mark.dataset.cluster;
      names[cluster] = names[cluster] || mark.getAttribute("title");
    });
    var label = root.querySelector(".docre-label");
    var score = root.querySelector(".docre-score");
    var choice = root.querySelector(".docre-choice");
    var chosen = null;
    var pointed = null;

    function same(one, other) {
      return Boolean(one && other && one.kind === other.kind && one.number === other.number);
    }

    function isShown(number) {
      return !relations[number].row.hidden;
    }

    // What stands under the pointer or the focus comes before what was chosen.
    function paint() {
      var what = pointed || chosen;
      var relation = what && what.kind === "relation" ? relations[what.number] : null;
      var cluster = what && what.kind === "cluster" ? what.number : null;
      function paintCluster(element) {
        var number = Number(element.dataset.cluster);
        element.classList.toggle("docre-is-head", Boolean(relation && relation.head === number));
        element.classList.toggle("docre-is-tail", Boolean(relation && relation.tail === number));
        element.classList.toggle("docre-is-chosen", cluster === number);
        if (element.hasAttribute("aria-pressed")) {
          element.setAttribute("aria-pressed", String(same(chosen, { kind: "cluster", number: number })));
        }
      }
      function isActive(number) {
        var other = relations[number];
        return other === relation || other.head === cluster || other.tail === cluster;
      }
      root.classList.toggle("docre-has-choice", Boolean(what));
      marks.forEach(paintCluster);
      nodes.forEach(paintCluster);
      pieces.forEach(function (piece) {
        var isOn = relation && numbers(piece.dataset.evidence).some(function (number) {
          return relation.evidence.indexOf(number) >= 0;
        });
        piece.classList.toggle("docre-is-evidence", Boolean(isOn));
      });
      edges.forEach(function (edge) {
        var shown = numbers(edge.dataset.relations).filter(isShown);
        edge.classList.toggle("docre-hidden", !shown.length);
        edge.classList.toggle("docre-is-active", shown.some(isActive));
      });
      arrows.forEach(function (arrow) {
        var number = Number(arrow.dataset.relation);
        arrow.classList.toggle("docre-hidden", !isShown(number));
        arrow.classList.toggle("docre-is-active", isActive(number));
      });
      relations.forEach(function (other, number) {
        var isChosen = same(chosen, { kind: "relation", number: number });
        other.row.classList.toggle("docre-is-active", other === relation);
        other.row.classList.toggle("docre-is-chosen", isChosen);
        other.button.setAttribute("aria-pressed", String(isChosen));
      });
    }

    function describe() {
      choice.hidden = !chosen;
      var text = "";
      if (chosen && chosen.kind === "relation") {
        var relation = relations[chosen.number];
        var n = relation.evidence.length;
        text = [names[relation.head], relation.button.textContent, names[relation.tail]].join(" → ");
        text += " · score " + relation.score.toFixed(2);
        if (n) text += " · " + n + (n > 1 ? " pieces" : " piece") + " of evidence";
      } else if (chosen) {
        var count = relations.filter(function (r) { return !r.row.hidden; }).length;
        text = names[chosen.number] + " · " + count + (count === 1 ? " relation" : " relations");
      }
      choice.querySelector(".docre-chosen").textContent = text;
    }

    function filter() {
      var cluster = chosen && chosen.kind === "cluster" ? chosen.number : null;
      var least = score ? Number(score.value) : 0;
      var shown = 0;
      relations.forEach(function (relation) {
        var isKept =
          (!label.value || relation.label === label.value) &&
          (!least || relation.score >= least) &&
          (cluster === null || relation.head === cluster || relation.tail === cluster);
        relation.row.hidden = !isKept;
        shown += isKept;
      });
      if (relations.length) {
        root.querySelector(".docre-least").textContent = least.toFixed(2);
        root.querySelector(".docre-count").textContent = shown + " of " + relations.length + " shown";
      }
    }

    function refresh() {
      filter();
      // A relation that a filter hides cannot stay chosen: nobody would see why the text is marked.
      if (chosen && chosen.kind === "relation" && !isShown(chosen.number)) chosen = null;
      describe();
      paint();
      repairs.forEach(function (repair) { repair(); });
    }

    function choose(what) {
      chosen = same(chosen, what) ? null : what;
      pointed = null;
      refresh();
    }

    function reveal() {
      var first = root.querySelector(".docre-text .docre-is-head");
      if (!first) return;
      var place = first.getBoundingClientRect();
      if (place.top < 0 || place.bottom > window.innerHeight - 80) first.scrollIntoView({ block: "center" });
    }

    function watch(element, what) {
      function point() { pointed = what; paint(); }
      function leave() { if (same(pointed, what)) { pointed = null; paint(); } }
      element.addEventListener("pointerenter", function (event) {
        if (event.pointerType === "mouse") point();
      });
      element.addEventListener("pointerleave", leave);
      element.addEventListener("focusin", function (event) {
        if (event.target.matches(":focus-visible")) point();
      });
      element.addEventListener("focusout", leave);
    }

    // Where mentions lie on each other, one click after the other goes from the inner to the outer.
    function chooseMention(mark) {
      var stack = [];
      for (var at = mark; at && at.classList.contains("docre-m"); at = at.parentElement) {
        stack.push(Number(at.dataset.cluster));
      }
      var place = chosen && chosen.kind === "cluster" ? stack.indexOf(chosen.number) : -1;
      var next = place >= 0 && place + 1 < stack.length ? stack[place + 1] : stack[0];
      if (place >= 0 && place + 1 === stack.length) next = chosen.number;
      choose({ kind: "cluster", number: next });
    }

    relations.forEach(function (relation, number) {
      var what = { kind: "relation", number: number };
      relation.row.addEventListener("click", function () {
        choose(what);
        if (chosen) reveal();
      });
      watch(relation.row, what);
    });
    marks.forEach(function (mark) {
      var number = Number(mark.dataset.cluster);
      mark.addEventListener("click", function (event) {
        event.stopPropagation();
        // A key press means the mention that has the focus, a click what lies under it.
        if (event.isTrusted) chooseMention(mark);
        else choose({ kind: "cluster", number: number });
      });
      mark.addEventListener("pointerover", function (event) {
        if (event.pointerType !== "mouse") return;
        event.stopPropagation();
        pointed = { kind: "cluster", number: number };
        paint();
      });
      mark.addEventListener("pointerleave", function () { pointed = null; paint(); });
      mark.addEventListener("focus", function () {
        if (!mark.matches(":focus-visible")) return;
        pointed = { kind: "cluster", number: number };
        paint();
      });
      mark.addEventListener("blur", function () { pointed = null; paint(); });
    });
    nodes.forEach(function (node) {
      var what = { kind: "cluster", number: Number(node.dataset.cluster) };
      node.addEventListener("click", function () { choose(what); });
      watch(node, what);
    });
    var always = function () { return true; };
    var repairs = [
      makeGroup(relations.map(function (relation) { return relation.button; }), function (button) {
        return !button.closest(".docre-relation").hidden;
      }),
      makeGroup(marks.filter(function (mark) { return mark.classList.contains("docre-first"); }), always),
      makeGroup(nodes, always),
    ];
    root.addEventListener("keydown", function (event) {
      if (event.key === "Escape") choose(null);
    });
    root.querySelector(".docre-clear").addEventListener("click", function () { choose(null); });
    if (relations.length) {
      root.querySelector(".docre-filters").hidden = false;
      label.addEventListener("change", refresh);
      score.addEventListener("input", refresh);
    }
    // Where the picture is wider than the screen, its middle says more than its left border.
    var graph = root.querySelector(".docre-graph");
    if (graph) graph.scrollLeft = (graph.scrollWidth - graph.clientWidth) / 2;
    refresh();
  }

  function enhanceAll() {
    // What the browser is still reading has no button at its end yet.
    all(document, ".docre:not([data-live])").filter(function (root) {
      return root.querySelector(".docre-clear");
    }).forEach(enhance);
  }

  // A page of several documents makes each of them when it is chosen; the address says which.
  function page() {
    var picker = document.querySelector(".docre-page .docre-document");
    if (!picker) return;
    var main = document.querySelector(".docre-main");
    var documents = Array.from(main.children);
    function show(number) {
      if (documents[number].localName === "template") {
        var made = documents[number].content.firstElementChild.cloneNode(true);
        documents[number].replaceWith(made);
        documents[number] = made;
        enhance(made);
      }
      documents.forEach(function (element, i) { element.hidden = i !== number; });
      picker.value = String(number);
      document.querySelector(".docre-previous").disabled = number === 0;
      document.querySelector(".docre-next").disabled = number === documents.length - 1;
    }
    function fromAddress() {
      var number = Number(window.location.hash.slice(1)) - 1;
      show(number >= 0 && number < documents.length ? Math.floor(number) : 0);
    }
    function go(number) {
      window.location.hash = String(number + 1);
    }
    picker.addEventListener("change", function () { go(Number(picker.value)); });
    document.querySelector(".docre-previous").addEventListener("click", function () { go(Number(picker.value) - 1); });
    document.querySelector(".docre-next").addEventListener("click", function () { go(Number(picker.value) + 1); });
    window.addEventListener("hashchange", fromAddress);
    fromAddress();
  }

  // Escape works wherever the focus is.
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape" || event.target.closest(".docre")) return;
    all(document, ".docre[data-live] .docre-choice:not([hidden]) .docre-clear").forEach(function (button) {
      button.click();
    });
  });
  enhanceAll();
  page();
  // Some notebooks run scripts before they put the output into the page.
  if (!document.querySelector(".docre-page")) {
    [0, 300, 1500].forEach(function (delay) { window.setTimeout(enhanceAll, delay); });
  }
})();
