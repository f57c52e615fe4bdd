using System;
using System.Runtime.InteropServices;
using Flagstone.Interop;

namespace Flagstone.Handles;

/// <summary>Owns a <c>flagstone_context_builder</c>.</summary>
internal sealed class ContextBuilderHandle : SafeHandle
{
    internal ContextBuilderHandle(IntPtr native)
        : base(IntPtr.Zero, ownsHandle: true) => SetHandle(native);

    public override bool IsInvalid => handle == IntPtr.Zero;

    protected override bool ReleaseHandle()
    {
        NativeMethods.flagstone_context_builder_free(handle);
        return true;
    }
}
