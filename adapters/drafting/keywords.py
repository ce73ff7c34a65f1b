"""Keywords of each category: expressions over folded words, with a weight for each list."""

from __future__ import annotations

import re


def keyword_pattern(keywords: str) -> re.Pattern[str]:
    """Compile a list of keywords, broken into lines, into one expression that matches whole words."""
    one_line = "".join(line.strip(" ") for line in keywords.splitlines())
    return re.compile(rf"(?<![\w'])(?:{one_line})(?![\w'])")


CATEGORIES = (
    *("HOUSING", "HEALTHCARE", "UTILITIES", "LEGAL", "EMPLOYMENT", "FAMILY", "FOOD"),
    *("TRANSPORTATION", "EDUCATION", "SAFETY", "EMERGENCY", "OTHER"),
)

# A keyword that is rarely used of anything else has a higher weight.
_KEYWORDS: dict[str, dict[int, str]] = {
    "HOUSING": {
        8: r"""
            liv(?:e|es|ing) in (?:my|our|a|the|his|her) (?:car|van|truck)
            """,
        3: r"""
            rent|evict\w*|security deposit|landlord|mortgage|foreclos\w*|first month(?:'s)?(?: rent)?|renta|
            alquiler|desalojo
            """,
        2: r"""
            apartment|housing|homeless|place to (?:stay|live)|on the street|deposit|moving (?:costs|expenses)|
            kicked out|nowhere (?:else )?to (?:go|stay|live)|room to rent|hotel|motel|roof|lose (?:our|my|
            the) (?:home|house)|apartamento
            """,
        1: r"""
            home|house|move into|shelter|casa
            """,
    },
    "HEALTHCARE": {
        3: r"""
            surger\w*|hospital\w*|medical|medicines?|medications?|prescriptions?|therap\w*|treatments?|chemo\w*|
            cancer|dialysis|insulin|wheelchair|transplant|dental|dentist|operation|er visit|copays?|deductible|
            cirugia|operacion|medicinas?|tratamiento|hearing aids?|specialized care|rehab\w*|ambulance|mri|inhaler|
            glasses|caregiver|nursing home
            """,
        2: r"""
            doctors?|sick|illness|diagnos\w*|disease|injur\w*|health|clinic|tooth|teeth|pain|insurance|diabet\w*|
            stroke|asthma|heart attack|kidney|enferm\w*|meds|pt
            """,
        1: r"""
            accident|broken (?:leg|arm|hip)|care
            """,
    },
    "UTILITIES": {
        3: r"""
            (?:electric\w*|gas|water|power|light|heating|energy|internet|phone|utility) (?:bills?|company|service|
            gets?|is|got|was)|utilit\w*|shut ?offs?|shut(?:ting)? (?:off|it off)|disconnect\w*|turn(?:ed|
            ing)? (?:off|it off)|electricity|(?:my|our|the) (?:power|lights?|water|heat|electricity|gas) (?:is|are|
            was|were|will|gets?|got|off)|past due bill
            """,
        2: r"""
            furnace|heater|propane|heating oil|power|electric|luz|without (?:heat|power|water)
            """,
        1: r"""
            heat|internet|phone
            """,
    },
    "LEGAL": {
        3: r"""
            lawyers?|attorneys?|legal|custody|court|bail|lawsuit|immigration|visa|green card|deport\w*|divorce|
            abogad[oa]|corte
            """,
        2: r"""
            judge|hearing|fight this|probation|citations?|traffic tickets?|fines?|charges against
            """,
    },
    "EMPLOYMENT": {
        3: r"""
            lost (?:my|his|her|our|the) job|laid (?:me )?off|fired|terminated|unemployed|(?:new|another) job|
            find work|out of work|let go|job (?:search|interview|hunt)|work (?:boots|tools|uniform|clothes)|
            my tools|perdi mi trabajo|desemplead[oa]|living expenses|start (?:my )?business
            """,
        12: r"""
            (?:while|until|till|as) (?:i|we) (?:find|look for|search for|get) (?:\w+ ){0,2}(?:work|job|employment)|
            (?:while|until|till|as) (?:i'm|im|i am|we're|we are) (?:job[- ](?:hunting|searching)|
            looking for (?:\w+ )?(?:work|job)|between jobs|unemployed)
            """,
        1: r"""
            job|work|employment|hours (?:were )?cut|trabajo|interview
            """,
    },
    "FAMILY": {
        3: r"""
            child ?care|day ?care|babysitt\w*|diapers|wedding|reunion|adopt\w*|funeral|burial|cremation|crib|
            stroller|headstone|guarderia|memorial service|birthday|newborn|car seat|camp for
            """,
        1: r"""
            family|children|kids|baby
            """,
    },
    "FOOD": {
        3: r"""
            grocer\w*|food|hungry|meals?|feed|food stamps|pantry|starving|formula|comida|nothing to eat|
            snap benefits
            """,
        1: r"""
            eat|eating|fridge|refrigerator
            """,
    },
    "TRANSPORTATION": {
        3: r"""
            (?:my|the|our|a) (?:\w+ )?(?:car|truck|van|vehicle|transmission|engine) (?:broke|needs|died|is|was|got|
            has|won't|repair\w*)|car (?:repairs?|payment|insurance|broke\w*)|transmission|brakes?|tires?|mechanic|
            alternator|bus pass|gas money|transportation|tow(?:ed|ing)?|vehicle
            """,
        2: r"""
            car|truck|van|engine|bus|carro|coche|auto|motorcycle|bike
            """,
        1: r"""
            repairs?|drive|driving
            """,
    },
    "EDUCATION": {
        3: r"""
            tuition|college|school|textbooks?|semester|student loans?|certification|degree|university|classes|
            training program|scholarship|graduat\w*|courses?|colegiatura|universidad|escuela|exam fees?|ged|
            nursing program|laptop
            """,
        1: r"""
            training|books|program|student|study|studies|teacher|uniforms
            """,
    },
    "SAFETY": {
        5: r"""
            domestic violence|violen\w*|abus\w*|restraining order|stalk\w*|unsafe (?:at )?home|hits? me|beat(?:s|
            ing|en)? me|threaten(?:s|ed|ing) (?:me|us|to kill)|fear for (?:my|our)|protective order|hurt(?:s|
            ing)? (?:me|us)
            """,
        4: r"""
            (?:husband|partner|boyfriend|ex|he) (?:is|was|became|got) (?:dangerous|violent)|dangerous|flee\w*|escape
            """,
        1: r"""
            safe|safer|shelter
            """,
    },
    "EMERGENCY": {
        6: r"""
            (?:house|apartment|home|trailer|building|place|kitchen) (?:\w+ )?(?:flooded|burned|caught fire|burnt|
            was destroyed)|lost everything|house fire|hurricane|tornado|earthquake|wildfire|natural disaster|
            fire destroyed|inundacion|incendio
            """,
        3: r"""
            flood\w*|disaster|fire|burned down|(?:an|real|true|family) emergency
            """,
    },
}


CATEGORY_KEYWORDS = {
    category: tuple((weight, keyword_pattern(keywords)) for weight, keywords in weighted.items())
    for category, weighted in _KEYWORDS.items()
}
