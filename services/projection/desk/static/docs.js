// The interface's description, drawn from /openapi.json of this address.
window.addEventListener("DOMContentLoaded", () => {
  SwaggerUIBundle({ url: "/openapi.json", dom_id: "#interface", deepLinking: true, defaultModelsExpandDepth: 0 });
});
