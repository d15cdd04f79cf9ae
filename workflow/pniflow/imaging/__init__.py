"""Images: CAT12's outputs in `cat12/`, and what stands beside them, made tidy; what may be compared.

atlases : region names, sides, groups                    naming : whose a file is
ingest_freesurfer : a person's `freesurfer_files`, `freesurfer_tables`, told by `freesurfer_regions`
ingest_lesions : LST-AI, or any table                     ingest_protocol : how the images were measured
comparability : what must not be mixed
"""
