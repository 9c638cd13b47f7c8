module.exports = "form";
