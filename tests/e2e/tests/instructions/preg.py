# Reads a Registry.pol with Samba's own parser, and writes what it read.
import sys

from samba.dcerpc import preg
from samba.gp_parse.gp_pol import GPPolParser
from samba.ndr import ndr_pack, ndr_unpack

octets = open(sys.argv[1], "rb").read()
parser = GPPolParser()
parser.parse(octets)
for entry in parser.pol_file.entries:
    print(entry.keyname, entry.valuename, entry.type, entry.data)
print("same" if ndr_pack(ndr_unpack(preg.file, octets)) == octets else "different")
