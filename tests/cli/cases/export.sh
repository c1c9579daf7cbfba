# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154
"$MAKE_CHECKPOINTS" seamark 2 2
run export
run export --format netcdf
run export --format npy 3
run export --format npy --region temperature
run export --format npy --region field 1
ls
run export --format npy --region field 1
run export --format npy --region field --force
run export --format hdf5 --json
run export --format vtk --region field -o plate.vti
run export --format raw --region text -o text.raw
run export --format raw -o all
cat all/text.rank-00001.raw text.raw.rank-00001.raw; echo
run export --format raw -o all
run export --format raw -o nowhere/all
# A link is not followed, and replaced as a file is.
echo precious >precious
rm field.npy
ln -s precious field.npy
run export --format npy --region field
run export --format npy --region field --force
cat precious
find . -name '*.??????' | grep -v seamark
# What is damaged is named, and nothing half done stays.
printf 'X' | dd of=seamark/0000002.L01/rank-00001.smk bs=1 seek=4097 conv=notrunc 2>/dev/null
mkdir clean
run export --format npy -o clean
run export --format hdf5 -o clean/all.h5
run export --format vtk -o clean/new
ls clean
rm seamark/0000002.L01/rank-00000.smk
run export --format raw -o clean
printf x >seamark/0000001.L01/manifest.json
run export --format raw 1
