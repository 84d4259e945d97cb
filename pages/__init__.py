"""The screens: presentation only; whatever a page does, a notebook without Streamlit can do."""
