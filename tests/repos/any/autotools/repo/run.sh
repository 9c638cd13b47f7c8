#!/bin/sh
./widgets
