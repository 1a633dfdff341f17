"""`cnn pack`: a data set as tar files with an index, in the format of `data/packs/`.

whole_set.py      the data set to pack: of a spec, or of the words of a `data` line
prepare.py        how its images are stored: files as they are, resized and encoded, or as arrays
sample_members.py the members of a sample: bytes by their endings
shard_plan.py     which images are in which tar file
tar_writer.py     a tar file whose bytes depend on nothing but its members
workers.py        makes members in several processes, in order
write_pack.py     writes what is not there yet, then the index
verify.py         checks a pack byte by byte

The bytes of a pack depend on the data and the options alone, not on the number of workers or on how
often packing was interrupted.
"""
