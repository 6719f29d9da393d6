-- How the matter of a message stands at the jobcenter: the last step of the replies among its events.
ALTER TABLE message ADD COLUMN case_state TEXT;
