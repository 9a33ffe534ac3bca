/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include "base/check.h"
#include "serve/demand/device.h"

#include <assert.h>
#include <stdio.h>

static bool parsed(const char *text, enum device_kind kind, const char *usual) {
    char reason[128];
    struct writer why = wr_fixed(reason, sizeof reason);
    struct device d;
    return device_parse(&d, text, &why) && d.kind == kind && strcmp(d.text, usual) == 0;
}

static bool refused(const char *text) {
    char reason[128];
    struct writer why = wr_fixed(reason, sizeof reason);
    struct device d;
    return !device_parse(&d, text, &why) && wr_len(&why) > 0;
}

static bool filter_is(const char *text, const char *more, const char *want) {
    char got[1024], reason[128];
    struct writer why = wr_fixed(reason, sizeof reason), w = wr_fixed(got, sizeof got);
    struct device d;
    if (!device_parse(&d, text, &why)) return false;
    device_filter(&d, more, &w);
    return slice_eq(wr_done(&w), slice_str(want));
}

int main(void) {
    assert(parsed("192.0.2.7", DEVICE_ADDRESS, "192.0.2.7") &&
           parsed("ip:2001:DB8::0:7", DEVICE_ADDRESS, "2001:db8::7"));
    SAYS("addresses are known by their form, and written in the usual one");
    assert(parsed("192.0.2.7/24", DEVICE_PREFIX, "192.0.2.0/24") &&
           parsed("2001:db8::7/64", DEVICE_PREFIX, "2001:db8::/64"));
    assert(parsed("0.0.0.0/0", DEVICE_PREFIX, "0.0.0.0/0") &&
           parsed("192.0.2.255/31", DEVICE_PREFIX, "192.0.2.254/31"));
    SAYS("a prefix loses the bits behind it");
    assert(parsed("02-00-5E-10-00-07", DEVICE_MAC, "02:00:5e:10:00:07") &&
           parsed("mac:02:00:5e:10:00:07", DEVICE_MAC, "02:00:5e:10:00:07"));
    SAYS("MAC addresses with colons and dashes are the same");
    assert(parsed("meter/7", DEVICE_CLIENT, "meter/7") && parsed("mqtt:192.0.2.7", DEVICE_CLIENT, "192.0.2.7"));
    assert(parsed("192.0.2.7/33", DEVICE_CLIENT, "192.0.2.7/33") &&
           parsed("02:00-5e:10:00:07", DEVICE_CLIENT, "02:00-5e:10:00:07"));
    SAYS("what has no other form is a client identifier, and mqtt: makes one of anything");
    assert(parsed("interface:eth0", DEVICE_INTERFACE, "eth0") && refused("interface:a b") &&
           refused("interface:../x") && refused("interface:"));
    assert(refused("ip:meter") && refused("ip:192.0.2.7/99") && refused("mac:meter") && refused("mqtt:") &&
           refused(""));
    SAYS("a wrong form is refused with a reason where the kind was said");
    assert(filter_is("192.0.2.7", NULL, "host 192.0.2.7") &&
           filter_is("192.0.2.0/24", "port 1883 or icmp", "net 192.0.2.0/24 and (port 1883 or icmp)"));
    assert(filter_is("interface:lo", "udp", "udp") && filter_is("interface:lo", "", "") &&
           filter_is("meter", "port 1883", "tcp and (port 1883)"));
    SAYS("the filter of a device and one of the user must both hold");
    return 0;
}
