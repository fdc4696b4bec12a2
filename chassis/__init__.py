"""What every process needs and no domain knows: settings, identity and access, HTTP manners, sealing, telemetry, clock."""
