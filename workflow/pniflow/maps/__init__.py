"""Models of maps: one at every vertex or voxel, with family-wise p-values over the whole map.

fit_surface, fit_voxels : the commands        fit_maps : one model at every element
familywise : permutations, TFCE               peaks : what of a map goes into tables
map_files, map_tables : maps and tables as files
"""
