module.exports = "list";
