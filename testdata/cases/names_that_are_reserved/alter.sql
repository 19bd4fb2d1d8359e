MODIFY `group` BIGINT, RENAME COLUMN `rank` TO `row`
