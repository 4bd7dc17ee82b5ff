from spacy_docre.corpora.report import ConversionReport


def test_counts_and_first_documents(capsys):
    report = ConversionReport()
    report.print()
    assert capsys.readouterr().out == "", "nothing to say where everything was kept"
    report.count("mentions widened to whole tokens", "a", 2)
    for doc in ("a", "b", "b", "c", "d"):
        report.count("relations listed twice", doc)
    report.count("entities without mentions left out", "e", 0)
    assert report.rows() == [
        (2, "mentions widened to whole tokens", "a"),
        (5, "relations listed twice", "a, b, c"),
    ]
    report.print()
    out = capsys.readouterr().out
    assert "2   mentions widened to whole tokens" in out
    assert "a, b, c" in out


def test_names_from_files_do_not_steer_the_terminal(capsys):
    report = ConversionReport()
    report.count("notes not kept", "\x1b[2Jé\n" + "x" * 99)
    report.print()
    out = capsys.readouterr().out
    assert "\x1b[2J" not in out
    assert r"\x1b[2Jé\nxxx" in out
    assert "x" * 40 not in out
