-- Which labels a worker must offer for the repository's runs; NULL: what the instance says.
ALTER TABLE policies ADD COLUMN runs_on TEXT[];

-- What the worker offers. One of an earlier version says nothing, and takes whatever is in line.
ALTER TABLE workers ADD COLUMN labels TEXT[] NOT NULL DEFAULT '{}';
