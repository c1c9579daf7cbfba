# SPDX-License-Identifier: BSD-3-Clause
"""check_arrays.py RANKS FOLDER: whether what was exported from make_arrays' checkpoint of so many ranks, in every format, is what it should be. VTK's and XDMF's files
are read by what stands here."""
import os
import re
import struct
import sys
import xml.etree.ElementTree

import h5py
import numpy

ranks, folder = int(sys.argv[1]), sys.argv[2]
ARRAYS = {  # as in make_arrays.c: type, extents
    "byte": ("u1", (1000,)), "int8": ("i1", (7,)), "uint8": ("u1", (37, 53)), "int16": ("i2", (37, 53)), "uint16": ("u2", (5, 1)),
    "int32": ("i4", (11, 13, 17)), "uint32": ("u4", (11, 13, 17)), "int64": ("i8", (4, 4, 4)), "uint64": ("u8", (100003,)),
    "float32": ("f4", (300, 500)), "float64": ("f8", (1500, 1001)), "complex64": ("c8", (6, 5, 4)), "complex128": ("c16", (401, 1003)),
    "rows": ("f8", (1003, 100, 9)), "four": ("i2", (3, 4, 5, 6)), "empty": ("f8", (4, 0)), "hole_float": ("f4", (20, 30)),
    "hole_int": ("i4", (20, 30)), "twice": ("i4", (30, 40)), "alone": ("u2", (10,)),
}
NUMBERS = {"byte": 0, "int8": 1, "uint8": 2, "int16": 3, "uint16": 4, "int32": 5, "uint32": 6, "int64": 7, "uint64": 8, "four": 3, "hole_int": 5,
           "twice": 5, "alone": 4}
VTK = {"i1": "Int8", "u1": "UInt8", "i2": "Int16", "u2": "UInt16", "i4": "Int32", "u4": "UInt32", "i8": "Int64", "u8": "UInt64",
       "f4": "Float32", "f8": "Float64", "c8": "Float32", "c16": "Float64"}


def owner():
    """Of 'twice', the lowest rank that has an element."""
    parts = {1: (1, 1), 2: (2, 1), 3: (3, 1), 4: (2, 2)}[ranks]
    result = numpy.full((30, 40), 99)

    def bound(extent, i, count):
        return extent * i * (i + 1) // (count * (count + 1))
    for rank in reversed(range(ranks)):
        at = rank // parts[1], rank % parts[1]
        box = []
        for dimension, (extent, before, after) in enumerate(((30, 2, 1), (40, 3, 2))):
            low, high = (bound(extent, at[dimension] + more, parts[dimension]) for more in (0, 1))
            box.append(slice(max(0, low - before), min(extent, high + after)))
        result[tuple(box)] = rank
    return result


def expected(name):
    kind, shape = ARRAYS[name]
    index = numpy.arange(int(numpy.prod(shape)), dtype=numpy.uint64)
    if kind[0] in "iu":
        whole = (index + numpy.uint64(1)) * numpy.uint64(0x9e3779b97f4a7c15) + numpy.uint64(NUMBERS[name])
        data = whole.astype("<u8").view("u1").reshape(-1, 8)[:, :int(kind[1:])].copy()
        if name == "twice":
            data[::3, 0] = owner().reshape(-1)[::3]
        data = data.reshape(-1).view("<" + kind)
    else:
        index = index.astype("i8")
        data = (index * 37 % 10007) - 5000.5
        if kind[0] == "c":
            data = numpy.stack((data, -(index % 1000).astype("f8")), -1).view("c16")
        data = data.astype(kind)
    data = data.reshape(shape)
    if name.startswith("hole"):
        data[-1] = numpy.nan if kind[0] == "f" else 0
    return data


def same(got, name, where):
    should = expected(name)
    assert got.shape == should.shape, (where, name, got.shape)
    assert got.dtype == should.dtype, (where, name, got.dtype)
    assert got.tobytes() == should.tobytes(), (where, name)


def plain(rank):
    return ("plain of " + str(rank) + "." * rank).encode()


def vti(name):
    with open(folder + "/vtk/" + name + ".vti", "rb") as file:
        data = file.read()
    start = data.index(b"_", data.index(b"<AppendedData")) + 1
    length, = struct.unpack("<Q", data[start:start + 8])
    assert data[start + 8 + length:].split() == [b"</AppendedData>", b"</VTKFile>"]
    root = xml.etree.ElementTree.fromstring(data[:start] + data[start + 8 + length:])
    assert root.attrib == {"type": "ImageData", "version": "1.0", "byte_order": "LittleEndian", "header_type": "UInt64"}
    image, array = root.find("ImageData"), root.find("ImageData/Piece/PointData/DataArray")
    assert image.get("WholeExtent") == image.find("Piece").get("Extent") and image.find("Piece/PointData").get("Scalars") == name
    kind, shape = ARRAYS[name]
    assert array.get("type") == VTK[kind] and array.get("offset") == "0" and array.get("Name") == name
    assert array.get("NumberOfComponents") == ("2" if kind[0] == "c" else "1")
    bounds = [int(number) for number in image.get("WholeExtent").split()]
    extents = tuple(high - low + 1 for low, high in zip(bounds[::2], bounds[1::2]))
    assert extents == tuple(reversed((1,) * (3 - len(shape)) + shape)), (name, extents)
    return numpy.frombuffer(data[start + 8:start + 8 + length], "<" + kind).reshape(shape)


def xdmf(file):
    kinds = {"Char": "i", "UChar": "u", "Int": "i", "UInt": "u", "Float": "f"}
    root = xml.etree.ElementTree.parse(folder + "/all.xdmf").getroot()
    found = set()
    for grid in root.findall("Domain/Grid"):
        name, item = grid.get("Name"), grid.find("Attribute/DataItem")
        where, dataset = item.text.split(":")
        kind, shape = ARRAYS[name]
        assert where == "all.h5" and dataset == "/" + name and item.get("Format") == "HDF"
        assert tuple(map(int, item.get("Dimensions").split())) == shape == file[dataset].shape
        assert kinds[item.get("NumberType")] + item.get("Precision") == kind
        points = tuple(map(int, grid.find("Topology").get("Dimensions").split()))
        assert points == (shape if len(shape) > 1 else shape + (1,))
        assert grid.find("Topology").get("TopologyType") == str(len(points)) + "DCoRectMesh"
        assert [item.text.split() for item in grid.findall("Geometry/DataItem")] == [["0"] * len(points), ["1"] * len(points)]
        found.add(name)
    assert found == {name for name, (kind, shape) in ARRAYS.items() if kind[0] != "c" and kind != "u8" and len(shape) < 4 and name != "empty"}


with h5py.File(folder + "/all.h5", "r") as hdf:
    assert set(hdf) == set(ARRAYS) | {"plain"}, set(hdf)
    assert (hdf.attrs["checkpoint"], hdf.attrs["step"], hdf.attrs["ranks"]) == (1, 10, ranks)
    for array in ARRAYS:
        same(hdf[array][()], array, "hdf5")
    for rank in range(ranks):
        assert hdf["plain/rank-%05d" % rank][()].tobytes() == plain(rank)
    xdmf(hdf)

for array, (element, extents) in ARRAYS.items():
    same(numpy.load(folder + "/npy/" + array + ".npy"), array, "npy")
    same(numpy.fromfile(folder + "/raw/" + array + ".raw", "<" + element).reshape(extents), array, "raw")
    if len(extents) < 4 and array != "empty":
        same(vti(array), array, "vtk")
for form, extension in ("npy", ".npy"), ("raw", ".raw"), ("vtk", ".vti"):
    names = {array + extension for array in ARRAYS if form != "vtk" or array not in ("four", "empty")}
    names |= {"plain.rank-%05d.raw" % rank for rank in range(ranks)}
    assert set(os.listdir(folder + "/" + form)) == names, form
    for rank in range(ranks):
        with open(folder + "/" + form + "/plain.rank-%05d.raw" % rank, "rb") as file:
            assert file.read() == plain(rank)

# What was said: how much no rank has, and how much more than one, with how much of that in doubt.
for form, status in ("hdf5", 0), ("npy", 0), ("vtk", 1), ("raw", 0):
    with open(folder + "/" + form + ".said", encoding="utf-8") as said:
        text = said.read()
    assert text.endswith("exit status " + str(status) + "\n"), text
    for name in "hole/float", "hole int":
        assert ("region '" + name + "': no rank has 30 of 600 elements; they are " + ("NaN" if "float" in name else "0")) in text, text
    shared = re.search("region 'twice': ([0-9]*) elements are on a second rank too, ([0-9]*) of them", text)
    assert (shared is None) == (ranks == 1), text
    assert text.count("left out") == (2 if form == "vtk" else 0), text
print("right")
