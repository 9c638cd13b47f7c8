from setuptools import setup

TESTS = ['pytest', 'pytest-mock']
setup(
    name='shop',
    version='1.0',
    py_modules=['shop'],
    install_requires=['idna'],
    extras_require={'tests': TESTS, 'docs': ['sphinx']},
    python_requires='>=3.9, <3.13',
)
