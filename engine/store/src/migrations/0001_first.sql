-- The first schema. Times are milliseconds since 1970 UTC; booleans are 0 and 1.

PRAGMA application_id = 0x49434852;

CREATE TABLE study (
    id               INTEGER PRIMARY KEY,
    uid              TEXT    NOT NULL UNIQUE,
    patient_id       TEXT    NOT NULL,
    patient_name     TEXT    NOT NULL,
    birth_date       TEXT,
    age_years        REAL,
    sex              TEXT,
    accession        TEXT    NOT NULL,
    description      TEXT    NOT NULL,
    scan_ms          INTEGER,
    last_received_ms INTEGER NOT NULL,
    n_images         INTEGER NOT NULL DEFAULT 0,
    phantom          INTEGER NOT NULL,
    state            TEXT    NOT NULL DEFAULT 'receiving'
        CHECK (state IN ('receiving', 'queued', 'scoring', 'done', 'failed')),
    -- 0 until it is queued for the first time.
    revision         INTEGER NOT NULL DEFAULT 0,
    priority         INTEGER NOT NULL DEFAULT 0,
    active_verdict   INTEGER REFERENCES verdict (id),
    error            TEXT
) STRICT;
CREATE INDEX study_state ON study (state, last_received_ms);
CREATE INDEX study_patient ON study (patient_id);

-- Further PatientIDs that images of one study bore; the first stands in the study.
CREATE TABLE other_patient (
    study      INTEGER NOT NULL REFERENCES study (id),
    patient_id TEXT    NOT NULL,
    PRIMARY KEY (study, patient_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE series (
    id          INTEGER PRIMARY KEY,
    study       INTEGER NOT NULL REFERENCES study (id),
    uid         TEXT    NOT NULL,
    modality    TEXT    NOT NULL,
    description TEXT    NOT NULL,
    n_images    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (study, uid)
) STRICT;

CREATE TABLE object (
    id          INTEGER PRIMARY KEY,
    uid         TEXT    NOT NULL UNIQUE,
    study       INTEGER NOT NULL REFERENCES study (id),
    series      INTEGER NOT NULL REFERENCES series (id),
    sop_class   TEXT    NOT NULL,
    sha256      TEXT    NOT NULL,
    bytes       INTEGER NOT NULL,
    path        TEXT    NOT NULL,
    received_ms INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    -- The first revision of the study that holds it.
    revision    INTEGER NOT NULL
) STRICT;
CREATE INDEX object_study ON object (study, revision);

CREATE TABLE quarantine (
    id     INTEGER PRIMARY KEY,
    path   TEXT    NOT NULL UNIQUE,
    why    TEXT    NOT NULL,
    source TEXT    NOT NULL,
    at_ms  INTEGER NOT NULL
) STRICT;

CREATE TABLE job (
    id             INTEGER PRIMARY KEY,
    study          INTEGER NOT NULL REFERENCES study (id),
    revision       INTEGER NOT NULL,
    state          TEXT    NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'leased', 'done', 'dead', 'superseded')),
    attempts       INTEGER NOT NULL DEFAULT 0,
    created_ms     INTEGER NOT NULL,
    due_ms         INTEGER NOT NULL,
    owner          TEXT,
    lease_until_ms INTEGER,
    ended_ms       INTEGER,
    error          TEXT,
    CHECK ((state = 'leased') = (lease_until_ms IS NOT NULL)),
    CHECK ((state IN ('done', 'dead', 'superseded')) = (ended_ms IS NOT NULL))
) STRICT;
CREATE INDEX job_open ON job (state, due_ms) WHERE state IN ('queued', 'leased');
-- A study waits at most once and is worked on by one worker at a time.
CREATE UNIQUE INDEX job_one_queued ON job (study) WHERE state = 'queued';
CREATE UNIQUE INDEX job_one_leased ON job (study) WHERE state = 'leased';
CREATE INDEX job_revision ON job (study, revision);

CREATE TABLE verdict (
    id            INTEGER PRIMARY KEY,
    job           INTEGER NOT NULL REFERENCES job (id),
    study         INTEGER NOT NULL REFERENCES study (id),
    revision      INTEGER NOT NULL,
    created_ms    INTEGER NOT NULL,
    kind          TEXT    NOT NULL CHECK (kind IN ('expands', 'stable', 'withheld')),
    withheld      TEXT,
    risk          REAL    CHECK (risk BETWEEN 0 AND 1),
    threshold     REAL    CHECK (threshold BETWEEN 0 AND 1),
    volume_ml     REAL    CHECK (volume_ml >= 0),
    motion        REAL    CHECK (motion BETWEEN 0 AND 1),
    shadow        INTEGER NOT NULL CHECK (shadow IN (0, 1)),
    profile       TEXT,
    provenance    TEXT    NOT NULL,
    contributions TEXT    NOT NULL,
    CHECK ((kind = 'withheld') = (withheld IS NOT NULL)),
    CHECK (kind = 'withheld' OR risk IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX verdict_one_active ON verdict (job) WHERE shadow = 0;
CREATE INDEX verdict_study ON verdict (study, revision);

-- Sets of one extractor share their names, so these are kept once.
CREATE TABLE feature_names (
    id     INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    names  TEXT NOT NULL
) STRICT;

CREATE TABLE feature_set (
    job     INTEGER NOT NULL REFERENCES job (id),
    unit    TEXT    NOT NULL,
    rank    INTEGER NOT NULL,
    names   INTEGER NOT NULL REFERENCES feature_names (id),
    -- Doubles, little-endian, in the order of the names; NaN where missing.
    numbers BLOB    NOT NULL,
    PRIMARY KEY (job, unit)
) STRICT;

CREATE TABLE acknowledgement (
    id           INTEGER PRIMARY KEY,
    study        INTEGER NOT NULL REFERENCES study (id),
    verdict      INTEGER REFERENCES verdict (id),
    who          TEXT    NOT NULL,
    at_ms        INTEGER NOT NULL,
    withdrawn_by TEXT,
    withdrawn_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX acknowledgement_once
    ON acknowledgement (study, ifnull(verdict, 0)) WHERE withdrawn_ms IS NULL;

CREATE TABLE note (
    id    INTEGER PRIMARY KEY,
    study INTEGER NOT NULL REFERENCES study (id),
    who   TEXT    NOT NULL,
    at_ms INTEGER NOT NULL,
    text  TEXT    NOT NULL
) STRICT;
CREATE INDEX note_study ON note (study);

CREATE TABLE clinical (
    study INTEGER NOT NULL REFERENCES study (id),
    name  TEXT    NOT NULL,
    value REAL    NOT NULL,
    who   TEXT    NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (study, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE request (
    id        INTEGER PRIMARY KEY,
    kind      TEXT    NOT NULL,
    who       TEXT    NOT NULL,
    at_ms     INTEGER NOT NULL,
    closed_ms INTEGER,
    error     TEXT
) STRICT;
CREATE UNIQUE INDEX request_open ON request (kind) WHERE closed_ms IS NULL;

CREATE TABLE active_profile (
    scorer  TEXT    PRIMARY KEY,
    profile TEXT    NOT NULL,
    who     TEXT    NOT NULL,
    at_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The engine that beats, one row.
CREATE TABLE engine (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    pid     INTEGER NOT NULL,
    version TEXT    NOT NULL,
    beat_ms INTEGER NOT NULL,
    listen  TEXT
) STRICT;

CREATE TABLE audit (
    id        INTEGER PRIMARY KEY,
    at_ms     INTEGER NOT NULL,
    actor     TEXT    NOT NULL,
    action    TEXT    NOT NULL,
    study_uid TEXT,
    detail    TEXT    NOT NULL,
    hash      TEXT    NOT NULL
) STRICT;
CREATE TRIGGER audit_follows BEFORE INSERT ON audit
WHEN new.id IS NOT (SELECT ifnull(max(id), 0) + 1 FROM audit)
BEGIN SELECT raise(ABORT, 'audit entries are numbered without gaps'); END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'audit entries are never deleted'); END;
CREATE TRIGGER audit_is_fixed BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'audit entries are never changed'); END;
