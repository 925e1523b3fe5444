"""How many addresses a network needs at least, in plain arithmetic."""

# https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html: 6 free addresses a subnet, 16 recommended; with
# prefix delegation a node takes blocks of 16 at once, so 256 carry about a dozen nodes with their pods.
PRIVATE_SUBNET_ADDRESSES = 256
# Nodes alone, when pods have a range of their own (`network.podCidr`).
NODE_SUBNET_ADDRESSES = 64
# NAT gateway and load balancers; also the smallest subnet that AWS creates.
PUBLIC_SUBNET_ADDRESSES = 16


def needed_addresses(zones: int, *, separate_pods: bool = False) -> int:
    """Addresses for one private and one public subnet in each zone."""
    private = NODE_SUBNET_ADDRESSES if separate_pods else PRIVATE_SUBNET_ADDRESSES
    return zones * (private + PUBLIC_SUBNET_ADDRESSES)


def longest_prefix(zones: int, *, separate_pods: bool = False) -> int:
    """Prefix length of the smallest network that holds them."""
    return 32 - (needed_addresses(zones, separate_pods=separate_pods) - 1).bit_length()
