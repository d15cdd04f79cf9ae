"""CAT12 outputs, every version, made tidy: which scans there are and what their files say.

index_cat12 : which scans a folder holds                  parse_cat12 : scan by scan to tables
document, matfile, report_xml, label_files, old_labels, exports : one file's bytes to numbers
gather_cat12 : many rows to Parquet, batches joined       template : CAT12's own surfaces and atlases
overlays, gather_surfaces, gather_voxels : maps of all scans
"""
