UPDATE t SET a = 'ÿ', b = '😀', c = ' x ', d = x'0001' WHERE id % 3 = 0;
