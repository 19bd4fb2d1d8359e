DROP CHECK nobody
