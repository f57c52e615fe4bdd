using System;
using System.Runtime.InteropServices;
using Flagstone.Interop;

namespace Flagstone.Handles;

/// <summary>
/// Owns a reference to a <c>flagstone_context</c>. Disposed early by its owner, so that every call counts itself in.
/// </summary>
internal sealed class ContextHandle : SafeHandle
{
    internal ContextHandle(IntPtr native)
        : base(IntPtr.Zero, ownsHandle: true) => SetHandle(native);

    public override bool IsInvalid => handle == IntPtr.Zero;

    protected override bool ReleaseHandle()
    {
        NativeMethods.flagstone_context_release(handle);
        return true;
    }
}
