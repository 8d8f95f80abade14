"""A referral as a hospital's engine writes it: twenty segments with hardly an empty field.

The hub's own messages hold long texts in few fields; here are many short ones, which is what costs
a tokenizer most.  Names, numbers and places are made up (`tests/builders.py` says by which rules).
"""

from typing import Final

_SEGMENTS: Final = (
    (
        r"MSH|^~\&|PAS^2.16.840.1.113883.2.1.3.2.4.18.1^ISO|RXX01^Example Hospital|CAFHUB|LA-A"
        "|20260901093000+0100||REF^I12^REF_I12|MSG00001|P|2.4|1||AL|NE|GBR|UNICODE UTF-8|en^English"
    ),
    (
        "RF1|A^Accepted^HL70283|R^Routine^HL70280|MED^Medical^HL70281|AM^Assume Management^HL70282"
        "|OP^Outpatient^HL70284|REF00001^RXX01|20260901|20261201|20260901"
        "|R1^Concern at school^L~R2^Housing^L"
    ),
    (
        "PRD|RP^Referring Provider^HL70286|Example^Harriet^Jane^^Dr^^MD|1 Example Way^^Exampletown"
        "^Exampleshire^ZZ99 1AA^GBR^B|RXX01^Ward 1^Room 2^Bed 3|^WPN^PH^^44^1632^960001~^NET"
        "^Internet"
        "^h.example@example.org|PH^Telephone^HL70185|C1111111^GMC^HL70338|20200101|20301231"
    ),
    (
        "PRD|RT^Referred to Provider^HL70286|Example^Robert^Lee^^Mr^^BSc|2 Example Way^^Exampletown"
        "^Exampleshire^ZZ99 1AB^GBR^B|LAA01^Team 2^Room 1^Desk 4|^WPN^PH^^44^1632^960002~^NET"
        "^Internet"
        "^r.example@example.org|PH^Telephone^HL70185|S2222222^SWE^HL70338|20210101|20301231"
    ),
    (
        "PID|1|9990000018^^^NHS^NH|9990000018^^^NHS^NH~H123456^^^RXX01^MR~A001000000001^^^DFE^SS"
        "|OLD1^^^RXX01|Example^Ava^Rose^^Miss^^L~Sample^Ava^^^^^A|Example^Mia^^^^^M|20140303|F"
        "|Example^Avie^^^^^N|A^White British^NHS|3 Example Road^Flat 4^Exampletown^Exampleshire"
        "^ZZ99 3AA^GBR^H~4 Sample Road^^Sampletown^^ZZ99 3AB^GBR^C|E01|^PRN^PH^^44^1632^960003"
        "~^PRN^CP^^44^7700^900001|^WPN^PH^^44^1632^960004|en^English^ISO639|S^Single^HL70002"
        "|C22^Church of England^NHS|ACC1^^^RXX01|||||Exampletown|N|1|GBR^British^ISO3166||GBR"
        "^British"
        "^ISO3166||N"
    ),
    *(
        f"NK1|{number}|Example^{name}^Ann^^{title}^^L|{role}|3 Example Road^Flat 4^Exampletown"
        f"^Exampleshire^ZZ99 3AA^GBR^H|^PRN^PH^^44^1632^96010{number}~^PRN^CP^^44^7700"
        f"^90020{number}|^WPN^PH^^44^1632^96020{number}|N^Next of kin^HL70131|20140303"
        f"|20321231|Carer|JC{number}^Code^L|E{number}^^^RXX01|Example Works|M^Married^HL70002|F"
        f"|197{number}0101"
        for number, (name, title, role) in enumerate(
            (
                ("Mia", "Mrs", "MTH^Mother^HL70063"),
                ("Max", "Mr", "FTH^Father^HL70063"),
                ("Gwen", "Ms", "GRP^Grandparent^HL70063"),
                ("Tom", "Mr", "BRO^Brother^HL70063"),
            ),
            1,
        )
    ),
    (
        "PV1|1|O|WARD1^ROOM2^BED3^RXX01|R|PRE1^^^RXX01|WARD2^ROOM1^BED1^RXX01"
        "|C1111111^Example^Harriet^Jane^^Dr^^^GMC|C3333333^Example^Ian^^^Dr^^^GMC"
        "|C4444444^Example^Joy^^^Dr^^^GMC|PAE|WARD3^^^RXX01|N|N|GP|A1|VIP"
        "|C1111111^Example^Harriet^Jane^^Dr^^^GMC|OP|V12345^^^RXX01|NHS^20260901|1|1|1|1|20260901"
    ),
    (
        "OBR|1|P1^PAS|F1^LAB|CAF^Assessment^L|R|20260901090000+0100|20260901091000+0100"
        "|20260901092000+0100|5^ml|C5^Example^Kim|A|D1^Danger^L|Clinical notes of one line"
        "|20260901093000+0100|BLD^Blood^HL70070|C1111111^Example^Harriet^Jane^^Dr|^WPN^PH^^44^1632"
        "^960001|PF1|PF2|FF1|FF2|20260901100000+0100|CH1^Charge^L|LAB|F"
    ),
    *(
        f"OBX|{number}|{kind}|{code}^Observation {number}^L|{number}|{value}|{unit}^unit^L"
        f"|1-{number}0|N|0.5|A|F|20260101|ACC|20260901090000+0100|RXX01^Example Hospital^ODS"
        "|C1^Example^Harriet|M1^Method^L|EQ1^RXX01|20260901091000+0100"
        for number, (kind, code, value, unit) in enumerate(
            (
                ("NM", "WT", "31.5", "kg"),
                ("NM", "HT", "138", "cm"),
                ("CE", "SEN", "HI^Hearing impairment^L", "code"),
                ("DT", "SEEN", "20260901", "day"),
                ("ST", "NOTE", "Seen with her mother", "text"),
                ("ST", "PLAN", "Hearing test in October", "text"),
                ("TX", "VIEW", "She says that mornings are hard", "text"),
                ("TS", "NEXT", "20261001093000+0100", "time"),
                ("XTN", "CALL", "^WPN^PH^^44^1632^960001", "tel"),
                ("CWE", "RISK", "L^Low^L", "code"),
            ),
            1,
        )
    ),
)
DENSE: Final = ("\r".join(_SEGMENTS) + "\r").encode()
