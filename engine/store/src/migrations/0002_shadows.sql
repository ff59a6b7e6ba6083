-- What scorers in the shadow did not answer, and which threshold profiles do not hold.

CREATE TABLE shadow_failure (
    job      INTEGER NOT NULL REFERENCES job (id),
    study    INTEGER NOT NULL REFERENCES study (id),
    revision INTEGER NOT NULL,
    scorer   TEXT    NOT NULL,
    at_ms    INTEGER NOT NULL,
    why      TEXT    NOT NULL,
    PRIMARY KEY (job, scorer)
) STRICT, WITHOUT ROWID;
CREATE INDEX shadow_failure_study ON shadow_failure (study, revision);

-- As the engine last saw them; consoles know no plugins.
CREATE TABLE void_profile (
    scorer  TEXT NOT NULL,
    profile TEXT NOT NULL,
    why     TEXT NOT NULL,
    PRIMARY KEY (scorer, profile)
) STRICT, WITHOUT ROWID;
