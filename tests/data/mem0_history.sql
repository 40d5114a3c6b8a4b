-- As mem0ai 2.2.1 with qdrant-client 1.20.0 wrote the history.db: see tests/importers/test_mem0.py.
BEGIN TRANSACTION;
CREATE TABLE history (
                        id           TEXT PRIMARY KEY,
                        memory_id    TEXT,
                        old_memory   TEXT,
                        new_memory   TEXT,
                        event        TEXT,
                        created_at   DATETIME,
                        updated_at   DATETIME,
                        is_deleted   INTEGER,
                        actor_id     TEXT,
                        role         TEXT
                    );
INSERT INTO "history" VALUES('337d3140-a032-439b-8dd4-3f8ba59536c2','0c371575-cf13-43ce-909c-d587ad6315bb',NULL,'Ana lives in Berlin','ADD','2024-03-01T10:00:00+00:00','2024-03-01T10:00:00+00:00',0,NULL,'user');
INSERT INTO "history" VALUES('5d28e2ea-9e15-4473-b51b-7b904e2ab7f6','0c371575-cf13-43ce-909c-d587ad6315bb','Ana lives in Berlin','Ana lives in Lisbon','UPDATE','2024-03-01T10:00:00+00:00','2026-11-22T00:53:55.328616+00:00',0,NULL,'user');
INSERT INTO "history" VALUES('106d9457-eb98-4f01-91bc-cb619498e1ea','0c371575-cf13-43ce-909c-d587ad6315bb','Ana lives in Lisbon','Ana lives in Porto','UPDATE','2024-03-01T10:00:00+00:00','2026-11-22T00:53:55.332130+00:00',0,NULL,'user');
INSERT INTO "history" VALUES('ab442610-cc26-47df-8892-7c843c284d9a','568a39ad-268b-4ba6-a2a6-28e1862bc7fe',NULL,'I like green tea','ADD','2026-11-22T00:53:55.335370+00:00','2026-11-22T00:53:55.335370+00:00',0,'ana','user');
INSERT INTO "history" VALUES('db83345f-cb90-4e8c-8f87-9ed9cf67b136','2ea9f3e9-2a8c-4ff7-9e81-2c12ed8648da',NULL,'The user drinks tea every morning','ADD','2026-11-22T00:53:55.339189+00:00','2026-11-22T00:53:55.339189+00:00',0,NULL,'assistant');
INSERT INTO "history" VALUES('3ad0552c-9fcd-4003-aea2-7b3191a07608','d512eb62-76f5-4919-8815-97483492eda0',NULL,'Ben plays chess','ADD','2026-11-22T00:53:55.342408+00:00','2026-11-22T00:53:55.342408+00:00',0,NULL,'user');
INSERT INTO "history" VALUES('9b325f46-c63e-4ec5-b4c0-e57dae326d74','ed427e00-d973-452f-a703-4c3762e8c00b',NULL,'Ben hates rain','ADD','2026-11-22T00:53:55.346601+00:00','2026-11-22T00:53:55.346601+00:00',0,NULL,'user');
INSERT INTO "history" VALUES('bf71205c-51fe-4743-b451-e87fd3d07826','ed427e00-d973-452f-a703-4c3762e8c00b','Ben hates rain',NULL,'DELETE','2026-11-22T00:53:55.346601+00:00','2026-11-22T00:53:55.350231+00:00',1,NULL,'user');
INSERT INTO "history" VALUES('a361d058-d360-4e57-95bf-98fef5036fbc','ad7edfbc-9851-4beb-8a34-f5dcb2760ac5',NULL,'Answers are short','ADD','2026-11-22T00:53:55.353196+00:00','2026-11-22T00:53:55.353196+00:00',0,NULL,'user');
CREATE TABLE messages (
                        id TEXT PRIMARY KEY,
                        session_scope TEXT,
                        role TEXT,
                        content TEXT,
                        name TEXT,
                        created_at DATETIME
                    );
COMMIT;
