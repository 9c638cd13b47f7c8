import assert from "node:assert";
import test from "node:test";
import isOdd from "is-odd";

test("odd", () => assert.ok(isOdd(3)));
