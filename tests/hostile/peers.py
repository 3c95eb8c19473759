MAX_BYTES_IN_FLIGHT=64<<20
def check(*a): return []
