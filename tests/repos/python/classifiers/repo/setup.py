from setuptools import setup

setup(
    name='shop',
    py_modules=['shop'],
    classifiers=[
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
    ],
)
