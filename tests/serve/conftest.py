# SPDX-License-Identifier: Apache-2.0
from machine import own_network


def pytest_configure():
    own_network()
