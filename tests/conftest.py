# SPDX-License-Identifier: Apache-2.0
"""What holds for all suites."""
import signal

# A shell without job control starts what is to run in the background with Ctrl-C ignored, and so would all that starts be:
# tests that interrupt a program need it to be heard.
signal.signal(signal.SIGINT, signal.default_int_handler)
