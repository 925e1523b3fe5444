"""Tags that a component adds to its children. Owner, environment and cost centre are the provider's default tags."""


def child_tags(component: str, child: str) -> dict[str, str]:
    """`component` groups costs by component, `Name` is what the AWS console shows."""
    return {"component": component, "Name": child}
