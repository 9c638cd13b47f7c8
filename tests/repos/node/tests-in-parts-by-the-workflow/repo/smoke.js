console.log("fit");
