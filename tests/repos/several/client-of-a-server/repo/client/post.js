module.exports = "post";
