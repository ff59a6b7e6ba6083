-- Whether the active verdict's scorer wanted a clinical value that has changed since.

ALTER TABLE study ADD COLUMN clinical_changed INTEGER NOT NULL DEFAULT 0
    CHECK (clinical_changed IN (0, 1));

-- Of verdicts made before, what was entered since can be told; what was taken back cannot.
UPDATE study SET clinical_changed = 1 WHERE EXISTS (
    SELECT 1 FROM clinical c JOIN verdict v ON v.id = study.active_verdict
    WHERE c.study = study.id AND c.at_ms > v.created_ms
        AND instr(v.contributions, '"clinical.' || c.name || '"') > 0);
