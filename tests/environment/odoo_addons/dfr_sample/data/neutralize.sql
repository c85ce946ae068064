-- The addon's own part of neutralising: no copy of the database may place orders.
UPDATE ir_config_parameter
   SET value = 'https://neutralized.invalid/'
 WHERE key = 'dfr_sample.endpoint';
