from setuptools import setup

setup(name='shop', classifiers=['Programming Language :: Python :: 3.11'])
