require("node:test")("works", () => {});
