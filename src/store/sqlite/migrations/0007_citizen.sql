-- Whom a parcel is about, where its format leaves that out of the body: it travels beside it.
ALTER TABLE parcel ADD COLUMN citizen TEXT;
