ENGINE=InnoDB, COMMENT='same rows'
