"""Countries that go by several names, in English.

The adjectives made from them are no names: in Re-DocRED's 400 training documents more mentions such
as "American" are kept apart from their country than joined with it.
"""

_NAMES = """
united states, united states of america, us, usa
united kingdom, united kingdom of great britain and northern ireland, uk, great britain, britain
china, people s republic of china, peoples republic of china, prc
taiwan, republic of china
south korea, republic of korea
north korea, democratic people s republic of korea, dprk
russia, russian federation
germany, federal republic of germany
czech republic, czechia
netherlands, holland, kingdom of the netherlands
myanmar, burma
ivory coast, cote d ivoire
turkey, turkiye, republic of turkey
united arab emirates, uae
iran, islamic republic of iran
pakistan, islamic republic of pakistan
saudi arabia, kingdom of saudi arabia
south africa, republic of south africa
vietnam, viet nam
eswatini, swaziland
cape verde, cabo verde
east timor, timor leste
"""

COUNTRIES = {
    tuple(name.split()): line.partition(",")[0]
    for line in _NAMES.strip().splitlines()
    for name in line.split(",")
}
