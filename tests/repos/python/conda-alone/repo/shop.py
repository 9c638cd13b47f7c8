import osgeo
