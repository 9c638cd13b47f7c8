#!/bin/sh
set -eu
grep -q hello hello.txt
