/**
 * The store's own tables. A path is kept as a key (see keys.ts). An object's bytes are in `data`, or in the blob file
 * `file` and then `data` is null. A file that nothing points to any more is in `doomed` until it has been unlinked: the
 * triggers see to it in the transaction that drops the last pointer, so no crash leaves a file that nobody knows.
 */
export const SCHEMA: readonly string[] = [`
  CREATE TABLE objects (
    path BLOB PRIMARY KEY NOT NULL,
    size INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    file TEXT,
    chunks BLOB,
    data BLOB
  );
  CREATE INDEX objects_file ON objects (file) WHERE file IS NOT NULL;

  CREATE TABLE uploads (
    id TEXT PRIMARY KEY NOT NULL,
    repository TEXT NOT NULL,
    file TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    -- Who works on it, or did last; see lease.ts.
    holder TEXT,
    held_until INTEGER NOT NULL,
    -- What all \`size\` bytes were found to hash to; null when that is not known.
    digest TEXT,
    chunks BLOB
  ) WITHOUT ROWID;

  CREATE TABLE doomed (file TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID;

  CREATE TRIGGER object_deleted AFTER DELETE ON objects WHEN old.file IS NOT NULL BEGIN
    INSERT OR IGNORE INTO doomed VALUES (old.file);
  END;
  CREATE TRIGGER object_replaced AFTER UPDATE OF file ON objects WHEN old.file IS NOT NULL AND old.file IS NOT new.file BEGIN
    INSERT OR IGNORE INTO doomed VALUES (old.file);
  END;
  CREATE TRIGGER upload_deleted AFTER DELETE ON uploads WHEN NOT EXISTS (SELECT 1 FROM objects WHERE file = old.file) BEGIN
    INSERT OR IGNORE INTO doomed VALUES (old.file);
  END;`]
