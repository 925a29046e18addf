"""A report of another tool in SARIF, as small as one may be."""

REPORT = {
    "version": "2.1.0",
    "runs": [
        {
            "tool": {"driver": {"name": "other", "rules": [{"id": "X1"}]}},
            "results": [
                {
                    "ruleId": "X1",
                    "message": {"text": "Look here."},
                    "locations": [
                        {
                            "physicalLocation": {
                                "artifactLocation": {"uri": "app/db.py"},
                                "region": {"startLine": 5},
                            }
                        }
                    ],
                }
            ],
        }
    ],
}
