UPDATE t SET v = JSON_ARRAY('long', 'longer') WHERE id = 33;
