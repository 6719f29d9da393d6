-- Messages whose content outlasted its time, because something was still owed.
CREATE TABLE lasting (message INTEGER PRIMARY KEY) STRICT;
