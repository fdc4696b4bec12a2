-- Each service has a database of its own and never reads another's.
CREATE DATABASE registry;
CREATE DATABASE reporting;
CREATE DATABASE assessment;
CREATE DATABASE notify;
CREATE DATABASE projection;
