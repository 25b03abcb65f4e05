"""Do momentum networks classify as well as residual networks when training converges?"""
