// The document that a relay serves, checked against the schema of OpenAPI 3.1 itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";

test("the document is OpenAPI 3.1", async () => {
  const answer = await fetch(new URL("/openapi.json", process.env.TRELLIS_HTTP_URL));
  assert.equal(answer.status, 200);
  const document = await answer.json();
  const validator = new Validator();
  const { valid, errors } = await validator.validate(document);
  assert.ok(valid, JSON.stringify(errors, null, 2));
  assert.equal(validator.version, "3.1");
  // References that lead nowhere throw.
  validator.resolveRefs();
});

test("names of operations and of path parameters are right", async () => {
  const answer = await fetch(new URL("/openapi.json", process.env.TRELLIS_HTTP_URL));
  const { paths, tags } = await answer.json();
  const ids = new Set();
  for (const [path, operations] of Object.entries(paths)) {
    const inTemplate = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
    for (const operation of Object.values(operations)) {
      assert.ok(!ids.has(operation.operationId), operation.operationId);
      ids.add(operation.operationId);
      const inPath = (operation.parameters ?? []).filter((it) => it.in === "path").map((it) => it.name).sort();
      assert.deepEqual(inPath, inTemplate, path);
      assert.ok(operation.tags.every((tag) => tags.some(({ name }) => name === tag)), path);
    }
  }
  assert.ok(ids.size > 20, `${ids.size} operations`);
});
