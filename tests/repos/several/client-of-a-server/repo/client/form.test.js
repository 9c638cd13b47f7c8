const test = require("node:test");

test("form", () => {});
